package simulator

import (
	"encoding/json"
	"net/http"
)

// refusal is HubSpot's error body.
type refusal struct {
	Status        string              `json:"status"`
	Message       string              `json:"message"`
	CorrelationID string              `json:"correlationId,omitempty"`
	Category      string              `json:"category,omitempty"`
	ErrorType     string              `json:"errorType,omitempty"`
	PolicyName    string              `json:"policyName,omitempty"`
	Context       map[string][]string `json:"context,omitempty"`
}

// rowRefusal is HubSpot's error inside the reply to a batch. Unlike a refusal it always has all of these.
type rowRefusal struct {
	Status   string              `json:"status"`
	Category string              `json:"category"`
	Message  string              `json:"message"`
	Context  map[string][]string `json:"context"`
	Errors   []struct{}          `json:"errors"` // none is simulated
	Links    map[string]string   `json:"links"`
}

// row returns a refusal as it is told inside the reply to a batch.
func (r refusal) row() rowRefusal {
	return rowRefusal{r.Status, r.Category, r.Message, r.Context, []struct{}{}, map[string]string{}}
}

func (r refusal) about(key string, values ...string) *refusal {
	r.Context = map[string][]string{key: values}
	return &r
}

func problem(category, message string) refusal {
	return refusal{Status: "error", Message: message, Category: category, Context: map[string][]string{}}
}

func refuse(status int, category, message string) reply {
	return reply{Status: status, Body: problem(category, message)}
}

func invalid(message string) reply {
	return refuse(http.StatusBadRequest, "VALIDATION_ERROR", message)
}

func missing() reply { return refuse(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found") }

// undocumented refuses what HubSpot's reference does not have, or what is not simulated.
func undocumented(r *http.Request) reply {
	return refuse(http.StatusNotFound, "", "The simulator knows no "+r.Method+" of this path")
}

// propertyFault is one property that a record cannot have, as HubSpot lists them inside a message.
type propertyFault struct {
	IsValid bool   `json:"isValid"`
	Message string `json:"message"`
	Error   string `json:"error"`
	Name    string `json:"name"`
}

// wrongProperties returns the refusal of a record with these faults.
func wrongProperties(faults []propertyFault) refusal {
	list, err := json.Marshal(faults)
	if err != nil { // strings always encode
		list = nil
	}
	return problem("VALIDATION_ERROR", "Property values were not valid: "+string(list))
}

func ok(body any) reply { return reply{Status: http.StatusOK, Body: body} }
