package process

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Owner returns which of these processes has the end of a TCP connection over IPv4 that is bound to this address of this machine;
// false if none has, or nobody can tell.
// See https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt.
func Owner(end netip.AddrPort, among []int) (pid int, ok bool) {
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil || !end.Addr().Unmap().Is4() {
		return 0, false
	}
	const localAddress, inode = 1, 9
	address := end.Addr().Unmap().As4()
	bound := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(address[:]), end.Port())
	for line := range strings.Lines(string(table)) {
		if !strings.Contains(line, bound) { // most are not
			continue
		}
		if fields := strings.Fields(line); len(fields) > inode && fields[localAddress] == bound {
			socket := "socket:[" + fields[inode] + "]"
			i := slices.IndexFunc(among, func(pid int) bool { return holds(pid, socket) })
			if i >= 0 {
				return among[i], true
			}
		}
	}
	return 0, false
}

// holds reports whether a process has a file open.
func holds(pid int, file string) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	files, err := os.ReadDir(folder)
	return err == nil && slices.ContainsFunc(files, func(f os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(folder, f.Name()))
		return err == nil && target == file
	})
}
