package local_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/template"
)

// TestAFunctionWithoutItsVariablesNamesThem: all that it needs in one round, and nothing that the template does not give it.
func TestAFunctionWithoutItsVariablesNamesThem(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	deployed, err := template.Read(filepath.Join(root, "template.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	missing := regexp.MustCompile(`(\w+) is not set`)
	for _, f := range deployed.Functions {
		t.Run(f.Binary, func(t *testing.T) {
			t.Parallel()
			environment := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret"}
			run := func() (status int, said string) {
				command := exec.CommandContext(t.Context(), filepath.Join(root, ".build/local", f.Binary))
				command.Env = environment
				output, _ := command.CombinedOutput() // fails by its status
				return command.ProcessState.ExitCode(), string(output)
			}
			status, said := run()
			names := missing.FindAllStringSubmatch(said, -1)
			if status != 1 || len(names) == 0 {
				t.Fatalf("it ended with %d: %s", status, said)
			}
			for _, name := range names {
				if f.Environment[name[1]] == "" {
					t.Errorf("%s is required, and the template does not set it", name[1])
				}
				environment = append(environment, name[1]+"="+f.Environment[name[1]])
			}
			if _, said := run(); missing.MatchString(said) {
				t.Errorf("not all that is missing was named at once: %s", said)
			}
		})
	}
}
