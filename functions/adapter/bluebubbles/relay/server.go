package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
)

// server is the BlueBubbles server on the same Mac. Its password is part of every URL, so that no error of a call holds the URL.
type server struct {
	base     string
	password secret.Value
	http     *http.Client
}

// errMissing is that the server has no message or chat of a name.
var errMissing = errors.New("the BlueBubbles server knows no such thing")

// page is how many messages are asked for at once: the server allows 1,000.
const page = 500

// since returns a page of the messages that were created at a time or later, by their time, each as the server writes it.
func (s *server) since(ctx context.Context, after int64, offset int) (messages jsontext.Value, err error) {
	body, _ := json.Marshal(map[string]any{ // texts and numbers always encode
		"after": after, "sort": "ASC", "limit": page, "offset": offset, "with": []string{"chats", "handle", "attachments"},
	})
	return s.call(ctx, http.MethodPost, "message/query", nil, body)
}

// chatsOf returns the chats of a message, none of one that it does not have any more.
func (s *server) chatsOf(ctx context.Context, guid string) ([]imessage.Chat, error) {
	message, err := s.call(ctx, http.MethodGet, "message/"+url.PathEscape(guid), url.Values{"with": {"chats"}}, nil)
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	return imessage.Chats(message.At("chats")), err
}

// participants returns who takes part in a chat, nobody of one that it does not have any more.
func (s *server) participants(ctx context.Context, guid string) ([]imessage.Handle, error) {
	chat, err := s.call(ctx, http.MethodGet, "chat/"+url.PathEscape(guid), url.Values{"with": {"participants"}}, nil)
	if errors.Is(err, errMissing) {
		return nil, nil
	}
	return imessage.DecodeChat(chat).Participants, err
}

// file returns the answer with a file that is attached to a message. The caller closes its body.
func (s *server) file(ctx context.Context, guid string) (*http.Response, error) {
	return s.do(ctx, http.MethodGet, "attachment/"+url.PathEscape(guid)+"/download", url.Values{}, nil)
}

// call asks the server, and returns the data of its answer.
func (s *server) call(ctx context.Context, method, path string, query url.Values, body []byte) (data jsontext.Value, err error) {
	response, err := s.do(ctx, method, path, query, body)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", errors.New("the BlueBubbles server's answer broke off")
	}
	answer, err := imessage.Parse(raw)
	if err != nil {
		return "", errors.New("the BlueBubbles server's answer is no JSON")
	}
	return answer.At("data"), nil
}

// maxAnswer is the most that is read of an answer: a page of messages is far below.
const maxAnswer = 64 << 20

// do sends a request and returns an answer of 2xx.
func (s *server) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("password", string(s.password))
	request, err := http.NewRequestWithContext(ctx, method, s.base+"/api/v1/"+path+"?"+query.Encode(), bytes.NewReader(body)) //nolint:gosec // to the server that the configuration names, and what is told apart from a path is escaped
	if err != nil {
		return nil, errors.New("server: is no URL")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request) //nolint:gosec // likewise
	if err != nil {
		for failed, ok := errors.AsType[*url.Error](err); ok; failed, ok = errors.AsType[*url.Error](err) { // whose text holds the URL
			err = failed.Err
		}
		return nil, fmt.Errorf("the BlueBubbles server is not reached: %w", err)
	}
	if response.StatusCode/100 != http.StatusOK/100 {
		_ = response.Body.Close()
		switch response.StatusCode {
		case http.StatusNotFound:
			return nil, errMissing
		case http.StatusUnauthorized:
			return nil, errors.New("the BlueBubbles server refuses the password")
		}
		return nil, fmt.Errorf("the BlueBubbles server answers %d", response.StatusCode)
	}
	return response, nil
}
