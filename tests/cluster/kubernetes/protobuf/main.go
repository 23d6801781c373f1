// Prints the messages of the kinds that the embedded plane serves, from their Go types: go run ./protobuf > …/plane/src/protobuf.txt
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const head = `# Made by tests/cluster/kubernetes/protobuf from Kubernetes' Go types. A message, then number, name in JSON and type of its fields.
#
# Types: text, int, bool, float, bytes (base64 in JSON), json, time, microtime, quantity, intorstring, or the name of a message.
# [T] repeats a type, {T} is a map from text to it, a name . takes the fields of the message as if they stood here.
# A ? leaves a zero or an empty message out of the JSON.
`

var kinds = []any{
	corev1.Namespace{}, corev1.ConfigMap{}, corev1.Secret{}, corev1.Service{}, corev1.ServiceAccount{}, corev1.Pod{}, corev1.PodTemplate{},
	corev1.Event{}, eventsv1.Event{}, coordinationv1.Lease{}, appsv1.Deployment{}, apiextensionsv1.CustomResourceDefinition{},
	metav1.DeleteOptions{}, authorizationv1.SelfSubjectAccessReview{}, authorizationv1.SelfSubjectRulesReview{},
	authorizationv1.SubjectAccessReview{}, authorizationv1.LocalSubjectAccessReview{}, authenticationv1.SelfSubjectReview{},
}

// Types that have a name of their own in the table.
var known = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microtime",
	reflect.TypeFor[intstr.IntOrString]():   "intorstring",
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[metav1.FieldsV1]():      "json",
	reflect.TypeFor[runtime.RawExtension](): "json",
	reflect.TypeFor[apiextensionsv1.JSON](): "json",
}

type table struct {
	names    map[reflect.Type]string
	messages map[string][]string
}

func main() {
	t := table{names: map[reflect.Type]string{}, messages: map[string][]string{}}
	for _, kind := range kinds {
		t.message(reflect.TypeOf(kind))
	}
	var names []string
	for name := range t.messages {
		names = append(names, name)
	}
	sort.Strings(names)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprint(out, head)
	for _, name := range names {
		fmt.Fprintln(out, name)
		for _, field := range t.messages[name] {
			fmt.Fprintln(out, "  "+field)
		}
	}
}

// The name of a struct's message: that of its type, with the group before it where two groups have one of the name.
func (t *table) message(typ reflect.Type) string {
	if name, ok := t.names[typ]; ok {
		return name
	}
	name := typ.Name()
	if _, taken := t.messages[name]; taken {
		parts := strings.Split(typ.PkgPath(), "/")
		name = parts[len(parts)-2] + ".k8s.io/" + name
	}
	t.names[typ] = name
	t.messages[name] = nil
	var fields []string
	for i := range typ.NumField() {
		field := typ.Field(i)
		wire := strings.Split(field.Tag.Get("protobuf"), ",")
		// Extra words of a review, which nothing sends.
		isOfLists := field.Type.Kind() == reflect.Map && field.Type.Elem().Kind() == reflect.Slice && field.Type.Elem().Elem().Kind() != reflect.Uint8
		if len(wire) < 2 || isOfLists {
			continue
		}
		json := strings.Split(field.Tag.Get("json"), ",")
		label := json[0]
		if len(json) > 1 && json[1] == "inline" {
			label = "."
		} else if label == "" || label == "-" {
			// Unions that are one value in JSON.
			label = field.Name
		}
		kind := t.kind(field.Type)
		omits := len(json) > 1 && json[1] == "omitempty" || field.Type.Kind() == reflect.Struct
		if omits && field.Type.Kind() != reflect.Pointer && !strings.ContainsAny(kind, "[{") && label != "." {
			kind += "?"
		}
		fields = append(fields, fmt.Sprintf("%s %s %s", wire[1], label, kind))
	}
	t.messages[name] = fields
	return name
}

func (t *table) kind(typ reflect.Type) string {
	if name, ok := known[typ]; ok {
		return name
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return t.kind(typ.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8:
		return "int"
	case reflect.Float64:
		return "float"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + t.kind(typ.Elem()) + "]"
	case reflect.Map:
		return "{" + t.kind(typ.Elem()) + "}"
	case reflect.Struct:
		return t.message(typ)
	}
	panic("not read: " + typ.String())
}
