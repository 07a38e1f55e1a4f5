// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	profilesv1 "go.opentelemetry.io/proto/otlp/profiles/v1development"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// profile is func1 called by func2, 10, and func1 alone, 20, in a span.
func (c *canary) profile() []byte {
	kind := &googlev1.ValueType{Type: 1, Unit: 2}
	location := func(id uint64) *googlev1.Location {
		return &googlev1.Location{Id: id, MappingId: 1, Line: []*googlev1.Line{{FunctionId: id}}}
	}
	data, err := (&googlev1.Profile{
		SampleType: []*googlev1.ValueType{kind},
		Sample: []*googlev1.Sample{
			{LocationId: []uint64{1, 2}, Value: []int64{10}},
			{LocationId: []uint64{1}, Value: []int64{20}, Label: []*googlev1.Label{{Key: 5, Str: 6}, {Key: 7, Str: 8}}},
		},
		Mapping:     []*googlev1.Mapping{{Id: 1, HasFunctions: true}},
		Location:    []*googlev1.Location{location(1), location(2)},
		Function:    []*googlev1.Function{{Id: 1, Name: 3, SystemName: 3}, {Id: 2, Name: 4, SystemName: 4}},
		StringTable: []string{"", "made_up", "profilos", "func1", "func2", "profile_id", span, "trace_id", trace},
		TimeNanos:   c.now.UnixNano(),
		PeriodType:  kind,
		Period:      1,
	}).MarshalVT()
	if err != nil {
		panic(err)
	}
	return data
}

func (c *canary) push(ctx context.Context) error {
	_, err := c.pusher.Push(ctx, connect.NewRequest(&pushv1.PushRequest{Series: []*pushv1.RawProfileSeries{{
		Labels: []*typesv1.LabelPair{{Name: "__name__", Value: "deadmans_switch"}, {Name: "service_name", Value: service},
			{Name: "job", Value: "canary-exporter"}, {Name: "instance", Value: c.host}},
		Samples: []*pushv1.RawSample{{ID: "7c9e6679-7425-40de-944b-" + fmt.Sprintf("%012x", c.now.UnixNano()&(1<<48-1)),
			RawProfile: c.profile()}},
	}}}))
	return err
}

func text(key, value string) *commonv1.KeyValue {
	return &commonv1.KeyValue{Key: key, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: value}}}
}

// otlp are the two fields of an ExportProfilesServiceRequest: the canary's one, with its location 0 that is no null.
func (c *canary) otlp(method string) (*profilesv1.ResourceProfiles, *profilesv1.ProfilesDictionary) {
	location := func(function int32) *profilesv1.Location {
		return &profilesv1.Location{Lines: []*profilesv1.Line{{FunctionIndex: function}}}
	}
	dictionary := &profilesv1.ProfilesDictionary{
		StringTable:   []string{"", "otlp_test", "samples", "count", "func1", "func2", "ingestion_method", method},
		MappingTable:  []*profilesv1.Mapping{{}},
		FunctionTable: []*profilesv1.Function{{}, {NameStrindex: 4}, {NameStrindex: 5}},
		LocationTable: []*profilesv1.Location{location(1), location(2)},
		StackTable:    []*profilesv1.Stack{{}, {LocationIndices: []int32{1, 0}}, {LocationIndices: []int32{0}}},
	}
	profile := &profilesv1.Profile{
		TimeUnixNano: uint64(c.now.UnixNano()),
		Period:       1,
		SampleType:   &profilesv1.ValueType{TypeStrindex: 1, UnitStrindex: 3},
		PeriodType:   &profilesv1.ValueType{TypeStrindex: 1, UnitStrindex: 2},
		Samples:      []*profilesv1.Sample{{StackIndex: 1, Values: []int64{10}}, {StackIndex: 2, Values: []int64{20}}},
	}
	return &profilesv1.ResourceProfiles{
		Resource: &resourcev1.Resource{Attributes: []*commonv1.KeyValue{text("service.name", service),
			text("job", "canary-exporter"), text("instance", c.host), text("ingestion_method", method)}},
		ScopeProfiles: []*profilesv1.ScopeProfiles{{
			Scope:    &commonv1.InstrumentationScope{Name: service},
			Profiles: []*profilesv1.Profile{profile},
		}},
	}, dictionary
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// otlpProto writes the request around the two, whose package would bring all of gRPC with it.
func (c *canary) otlpProto() []byte {
	resource, dictionary := c.otlp("otlp_http_protobuf")
	body := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), must(proto.Marshal(resource)))
	return protowire.AppendBytes(protowire.AppendTag(body, 2, protowire.BytesType), must(proto.Marshal(dictionary)))
}

func (c *canary) otlpJSON() []byte {
	resource, dictionary := c.otlp("otlp_http_json")
	return must(json.Marshal(map[string]any{
		"resourceProfiles": []json.RawMessage{must(protojson.Marshal(resource))},
		"dictionary":       json.RawMessage(must(protojson.Marshal(dictionary))),
	}))
}

func (c *canary) export(ctx context.Context, contentType string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1development/profiles", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s %v", response.StatusCode, answer, err)
	}
	return nil
}

func (c *canary) upload(ctx context.Context) {
	c.tell("ingest push", "taken", c.push(ctx))
	c.tell("ingest otlp json", "taken", c.export(ctx, "application/json", c.otlpJSON()))
	c.tell("ingest otlp proto", "taken", c.export(ctx, "application/x-protobuf", c.otlpProto()))
	c.tell("ingest push again", "taken", c.push(ctx)) // the same ID: counts once
}
