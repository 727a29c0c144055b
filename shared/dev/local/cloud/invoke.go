package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// invokePath is what a direct invocation's path begins with.
const invokePath = "/2015-03-31/functions/"

// maxEvent is the largest event of a synchronous invocation.
const maxEvent = 6 << 20

// Invoke runs a function by name. Failed is Lambda's word for a failure, empty if there was none. An error of ErrNoFunction
// says that there is none of this name.
type Invoke func(ctx context.Context, function string, event []byte) (answer []byte, failed string, err error)

// ErrNoFunction is a name that is not in the template.
var ErrNoFunction = errors.New("cloud: there is no such function")

// Lambda returns direct invocations that wait for their answer.
// See https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
func Lambda(invoke Invoke) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+invokePath+"{name}/invocations", func(w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" && kind != "RequestResponse" {
			notUnderstood(w, r)
			return
		}
		event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
		if err != nil {
			http.Error(w, `{"Type":"User","message":"Request must be smaller than 6291456 bytes"}`, http.StatusRequestEntityTooLarge)
			return
		}
		answer, failed, err := invoke(r.Context(), functionName(r.PathValue("name")), event)
		switch {
		case errors.Is(err, ErrNoFunction):
			http.Error(w, `{"Type":"User","message":"Function not found"}`, http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, `{"Type":"Service","message":"the function was not run"}`, http.StatusServiceUnavailable)
			return
		case failed != "":
			w.Header().Set("X-Amz-Function-Error", failed)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		_, _ = w.Write(answer)
	})
	return mux
}

// functionName returns the name in a name, a partial or a whole ARN, each with or without a qualifier.
func functionName(id string) string {
	if _, rest, found := strings.Cut(id, ":function:"); found {
		id = rest
	}
	name, _, _ := strings.Cut(id, ":")
	return name
}
