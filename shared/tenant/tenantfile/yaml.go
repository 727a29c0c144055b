package tenantfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"signalbox/shared/jsontext"
	"signalbox/shared/tenant"

	"gopkg.in/yaml.v3"
)

// maxDepth is how deep values nest: what is deeper is refused by the function, too.
const maxDepth = 100

// yaml reads a file in YAML: one document of what JSON has. A plain word is null, true, false or a number only where JSON writes it so too,
// and else a string: +15557654321 and 007 are no numbers here.
func (f *File) yaml(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return yamlError(err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return yamlError(err)
		}
		return &syntaxError{more.Line, 0, "a second document: a file is one"}
	}
	var err error
	f.JSON, err = f.node(nil, "", document.Content[0], 0)
	return err
}

// yamlError returns a parser's error without what it may quote.
func yamlError(err error) error {
	found := regexp.MustCompile(`^yaml: line (\d+): (.*)$`).FindStringSubmatch(err.Error())
	switch {
	case errors.Is(err, io.EOF):
		return &syntaxError{1, 0, "the file is empty"}
	case found == nil:
		return &syntaxError{1, 0, "this is not YAML: an alias that nothing stands for, or a character that it does not have"}
	}
	line, _ := strconv.Atoi(found[1])
	reason := found[2]
	if plain := regexp.MustCompile(`^[a-zA-Z ,':-]*$`); !plain.MatchString(reason) {
		reason = "look at this line and those around it"
	}
	return &syntaxError{line, 0, "this is not YAML: " + reason}
}

// node appends a value in JSON.
func (f *File) node(to []byte, path string, n *yaml.Node, depth int) ([]byte, error) {
	if _, noted := f.lines[path]; !noted {
		f.lines[path] = n.Line
	}
	switch {
	case depth > maxDepth:
		return nil, &syntaxError{n.Line, n.Column, "nested too deep"}
	case n.Kind == yaml.AliasNode:
		return nil, &syntaxError{n.Line, n.Column, "an alias: write out what it stands for, or put a text that begins with * in quotes"}
	case n.Style&yaml.TaggedStyle != 0:
		return nil, &syntaxError{n.Line, n.Column, "a tag: leave it out, or put a text that begins with ! in quotes"}
	case n.Kind == yaml.MappingNode:
		return f.mapping(to, path, n, depth)
	case n.Kind == yaml.SequenceNode:
		to = append(to, '[')
		for i, element := range n.Content {
			if i > 0 {
				to = append(to, ',')
			}
			var err error
			if to, err = f.node(to, fmt.Sprintf("%s[%d]", path, i), element, depth+1); err != nil {
				return nil, err
			}
		}
		return append(to, ']'), nil
	}
	return appendScalar(to, n), nil
}

func (f *File) mapping(to []byte, path string, n *yaml.Node, depth int) ([]byte, error) {
	to = append(to, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.Tag == "!!merge" {
			return nil, &syntaxError{name.Line, name.Column, "a name that is no text"}
		}
		if i > 0 {
			to = append(to, ',')
		}
		at := tenant.Join(path, name.Value)
		f.lines[at] = name.Line
		to = append(jsontext.AppendString(to, name.Value), ':')
		var err error
		if to, err = f.node(to, at, value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendScalar appends a value that has no parts.
func appendScalar(to []byte, n *yaml.Node) []byte {
	const written = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	switch {
	case n.Style&written != 0:
	case n.Tag == "!!null":
		return append(to, "null"...)
	case n.Tag == "!!bool":
		return append(to, strings.ToLower(n.Value)...)
	case (n.Tag == "!!int" || n.Tag == "!!float") && json.Valid([]byte(n.Value)):
		return append(to, n.Value...)
	}
	return jsontext.AppendString(to, n.Value)
}
