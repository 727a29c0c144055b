package adapter

import (
	"testing"

	"signalbox/shared/canonical"
)

// TestCredentialsGoToTheProviderAlone: a webhook is the provider's, but what it points to may be anybody's.
func TestCredentialsGoToTheProviderAlone(t *testing.T) {
	a := &Adapter{description: Description{MediaHosts: []string{"api.example.com", ".media.example.com"}}}
	for address, kept := range map[string]bool{
		"https://api.example.com/media/1":             true,
		"https://eu.media.example.com/1":              true,
		"https://api.example.com:8443/1":              false,
		"http://api.example.com/1":                    false,
		"https://api.example.com.evil.example/1":      false,
		"https://evilmedia.example.com/1":             false,
		"https://api.example.com@evil.example/1":      false,
		"https://evil.example/?.media.example.com":    false,
		"https://evil.example#.media.example.com":     false,
		"https://media.example.com/1":                 false,
		"https://169.254.169.254/latest/meta-data/x":  false,
		"https://API.example.com/media/1":             false,
		"https://evil.example\\.media.example.com/1/": false,
	} {
		access := canonical.Access{Scheme: canonical.AccessBearer, Member: "url", Hosts: []string{".example.com"}, Headers: map[string]string{"x-signature": "00ff"}}
		file := canonical.Attachment{URL: address, Access: &access}
		card := file
		card.Access = &canonical.Access{Scheme: canonical.AccessBearer}
		m := canonical.Message{Attachments: []canonical.Attachment{{URL: address}, file}, Cards: []canonical.Card{{}, {Media: &card}}}
		a.guardFiles(&m)
		if got := m.Attachments[1].Access.Scheme != ""; got != kept || (m.Cards[1].Media.Access.Scheme != "") != kept || m.Attachments[1].Access.Member != "url" {
			t.Errorf("%s: credentials kept %v, want %v", address, got, kept)
		}
		if (access.Hosts != nil) != kept || (access.Headers != nil) != kept {
			t.Errorf("%s: hosts %v and headers %v, want kept %v", address, access.Hosts, access.Headers, kept)
		}
	}
	a.guardFiles(nil)
}
