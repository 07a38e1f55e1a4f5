// SPDX-License-Identifier: Apache-2.0

// Canary asks a server what profilecli's canary exporter asks (grafana/pyroscope 3fe6a457,
// cmd/profilecli/canary_exporter_probes.go), through the published client library of Pyroscope, in every protocol that it
// speaks. It prints what it was told, a line of JSON for each call; the test checks it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"connectrpc.com/connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	service  = "pyroscope-canary-exporter"
	kind     = "deadmans_switch:made_up:profilos:made_up:profilos"
	otlpKind = "otlp_test:otlp_test:count:otlp_test:samples"
	span     = "00000bac2a5ab0c7"
	trace    = "0af7651916cd43dd8448eb211c80319c"
)

var protocols = map[string][]connect.ClientOption{
	"connect":      nil,
	"connect-gzip": {connect.WithSendGzip()},
	"connect-json": {connect.WithProtoJSON()},
	"grpc":         {connect.WithGRPC()},
	"grpc-web":     {connect.WithGRPCWeb()},
}

type canary struct {
	protocol string
	base     string
	host     string // the label instance: keeps what one protocol sent from what the others did
	now      time.Time
	http     *http.Client
	querier  querierv1connect.QuerierServiceClient
	pusher   pushv1connect.PusherServiceClient
}

func newCanary(base, protocol string, options []connect.ClientOption) *canary {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if protocol == "grpc" { // as profilecli does for http://: HTTP/2 from the first byte
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	return &canary{
		protocol: protocol, base: base, host: "host-" + protocol, now: time.Now(), http: client,
		querier: querierv1connect.NewQuerierServiceClient(client, base, options...),
		pusher:  pushv1connect.NewPusherServiceClient(client, base, options...),
	}
}

func (c *canary) start() int64 { return c.now.UnixMilli() }
func (c *canary) end() int64   { return c.now.Add(5 * time.Second).UnixMilli() }
func (c *canary) selector() string {
	return fmt.Sprintf(`{service_name=%q, job="canary-exporter", instance=%q}`, service, c.host)
}

// tell prints what a call was answered: a message, or an error's code and text.
func (c *canary) tell(call string, answer any, err error) {
	line := map[string]any{"protocol": c.protocol, "call": call, "start": c.start(), "host": c.host}
	if message, is := answer.(proto.Message); err == nil && is {
		text, failed := protojson.Marshal(message)
		answer, err = json.RawMessage(text), failed
	}
	if err != nil {
		line["code"], line["error"] = connect.CodeOf(err).String(), err.Error()
	} else {
		line["answer"] = answer
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err)
	}
}

// get asks one of the interfaces that are plain HTTP.
func (c *canary) get(ctx context.Context, call, path string, params url.Values) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+params.Encode(), nil)
	if err != nil {
		panic(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		c.tell(call, nil, err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	if !json.Valid(body) {
		body, _ = json.Marshal(string(body))
	}
	c.tell(call, json.RawMessage(body), err)
}

func main() {
	ctx := context.Background()
	for protocol, options := range protocols {
		c := newCanary(os.Getenv("URL"), protocol, options)
		c.upload(ctx)
		c.ask(ctx)
		c.askWrongly(ctx)
	}
}
