// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/url"
	"strconv"

	"connectrpc.com/connect"
	googlepprof "github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// call asks one method and tells the answer.
func call[Q, A any](ctx context.Context, c *canary, name string,
	method func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), question *Q) *A {
	answer, err := method(ctx, connect.NewRequest(question))
	if err != nil {
		c.tell(name, nil, err)
		return new(A)
	}
	c.tell(name, any(answer.Msg), nil)
	return answer.Msg
}

func (c *canary) stacks() *querierv1.SelectMergeStacktracesRequest {
	return &querierv1.SelectMergeStacktracesRequest{
		Start: c.start(), End: c.end(), LabelSelector: c.selector(), ProfileTypeID: kind}
}

func (c *canary) series(exemplars typesv1.ExemplarType) *querierv1.SelectSeriesRequest {
	return &querierv1.SelectSeriesRequest{Start: c.start(), End: c.end(), LabelSelector: c.selector(), ProfileTypeID: kind,
		Step: 5, ExemplarType: exemplars}
}

// tellPprof tells the stacks of a profile as Google's own reader, which checks it, finds them.
func (c *canary) tellPprof(name string, profile *googlev1.Profile) {
	data, err := profile.MarshalVT()
	if err != nil {
		panic(err)
	}
	parsed, err := googlepprof.Parse(bytes.NewReader(data))
	if err != nil {
		c.tell(name, nil, err)
		return
	}
	stacks := map[string]int64{}
	for _, sample := range parsed.Sample {
		stack := ""
		for _, location := range sample.Location {
			for _, line := range location.Line {
				stack += ">" + line.Function.Name
			}
		}
		stacks[stack] += sample.Value[0]
	}
	c.tell(name, stacks, parsed.CheckValid())
}

func (c *canary) askLists(ctx context.Context) {
	q := c.querier
	call(ctx, c, "ProfileTypes", q.ProfileTypes, &querierv1.ProfileTypesRequest{Start: c.start(), End: c.end()})
	call(ctx, c, "Series", q.Series, &querierv1.SeriesRequest{Start: c.start(), End: c.end(),
		LabelNames: []string{"service_name", "__profile_type__"}})
	call(ctx, c, "LabelNames", q.LabelNames, &typesv1.LabelNamesRequest{Start: c.start(), End: c.end(),
		Matchers: []string{`{service_name="` + service + `"}`}})
	call(ctx, c, "LabelValues", q.LabelValues, &typesv1.LabelValuesRequest{Start: c.start(), End: c.end(), Name: "service_name",
		Matchers: []string{`{service_name="` + service + `"}`}})
	call(ctx, c, "GetProfileStats", q.GetProfileStats, &typesv1.GetProfileStatsRequest{})
	call(ctx, c, "AnalyzeQuery", q.AnalyzeQuery, &querierv1.AnalyzeQueryRequest{Start: c.start(), End: c.end(),
		Query: kind + c.selector()})
}

func (c *canary) askStacks(ctx context.Context) {
	q := c.querier
	for _, format := range []querierv1.ProfileFormat{querierv1.ProfileFormat_PROFILE_FORMAT_FLAMEGRAPH,
		querierv1.ProfileFormat_PROFILE_FORMAT_TREE, querierv1.ProfileFormat_PROFILE_FORMAT_DOT,
		querierv1.ProfileFormat_PROFILE_FORMAT_PPROF} {
		question := c.stacks()
		question.Format = format
		answer := call(ctx, c, "SelectMergeStacktraces "+format.String(), q.SelectMergeStacktraces, question)
		if format == querierv1.ProfileFormat_PROFILE_FORMAT_PPROF {
			c.tellPprof("stacks of PPROF", answer.GetPprof().GetProfile())
		}
	}
	bySpan, byTrace := c.stacks(), c.stacks()
	bySpan.SpanSelector, byTrace.TraceIdSelector = []string{span}, []string{trace}
	call(ctx, c, "SelectMergeStacktraces by span", q.SelectMergeStacktraces, bySpan)
	call(ctx, c, "SelectMergeStacktraces by trace", q.SelectMergeStacktraces, byTrace)
	call(ctx, c, "SelectMergeStacktraces", q.SelectMergeStacktraces, c.stacks())
	call(ctx, c, "SelectMergeSpanProfile", q.SelectMergeSpanProfile, &querierv1.SelectMergeSpanProfileRequest{ //nolint:staticcheck
		Start: c.start(), End: c.end(), LabelSelector: c.selector(), ProfileTypeID: kind, SpanSelector: []string{span}})
	call(ctx, c, "Diff", q.Diff, &querierv1.DiffRequest{Left: c.stacks(), Right: c.stacks()})
	for name, id := range map[string]string{"SelectMergeProfile": kind, "SelectMergeProfile otlp": otlpKind} {
		answer := call(ctx, c, name, q.SelectMergeProfile, &querierv1.SelectMergeProfileRequest{ //nolint:staticcheck
			Start: c.start(), End: c.end(), LabelSelector: c.selector(), ProfileTypeID: id})
		c.tellPprof("stacks of "+name, answer)
	}
}

func (c *canary) askSeries(ctx context.Context) {
	q := c.querier
	grouped := c.series(typesv1.ExemplarType_EXEMPLAR_TYPE_NONE)
	grouped.Step, grouped.GroupBy = 1000, []string{"service_name"}
	call(ctx, c, "SelectSeries", q.SelectSeries, grouped)
	call(ctx, c, "SelectSeries span exemplars", q.SelectSeries, c.series(typesv1.ExemplarType_EXEMPLAR_TYPE_SPAN))
	answer := call(ctx, c, "SelectSeries exemplars", q.SelectSeries, c.series(typesv1.ExemplarType_EXEMPLAR_TYPE_INDIVIDUAL))
	if len(answer.Series) == 1 && len(answer.Series[0].Points) == 1 && len(answer.Series[0].Points[0].Exemplars) == 1 {
		question := c.stacks()
		question.ProfileIdSelector = []string{answer.Series[0].Points[0].Exemplars[0].ProfileId}
		call(ctx, c, "SelectMergeStacktraces of the exemplar", q.SelectMergeStacktraces, question)
	}
	call(ctx, c, "SelectHeatmap", q.SelectHeatmap, &querierv1.SelectHeatmapRequest{Start: c.start(), End: c.end(),
		LabelSelector: c.selector(), ProfileTypeID: kind, Step: 5, QueryType: querierv1.HeatmapQueryType_HEATMAP_QUERY_TYPE_SPAN,
		ExemplarType: typesv1.ExemplarType_EXEMPLAR_TYPE_SPAN})
}

func (c *canary) ask(ctx context.Context) {
	c.get(ctx, "ready", "/ready", nil)
	c.askLists(ctx)
	c.askStacks(ctx)
	c.askSeries(ctx)
	from, until := strconv.FormatInt(c.start(), 10), strconv.FormatInt(c.end(), 10)
	query := kind + c.selector()
	c.get(ctx, "render", "/pyroscope/render", url.Values{"query": {query}, "from": {from}, "until": {until}})
	c.get(ctx, "render-diff", "/pyroscope/render-diff", url.Values{"leftQuery": {query}, "leftFrom": {from}, "leftUntil": {until},
		"rightQuery": {query}, "rightFrom": {from}, "rightUntil": {until}})
}

// askWrongly makes mistakes: their codes are part of the interface.
func (c *canary) askWrongly(ctx context.Context) {
	wrong := c.stacks()
	wrong.LabelSelector = `{service_name=`
	call(ctx, c, "wrong selector", c.querier.SelectMergeStacktraces, wrong)
	wrong = c.stacks()
	wrong.ProfileTypeID = "cpu"
	call(ctx, c, "wrong type", c.querier.SelectMergeStacktraces, wrong)
	wrong = c.stacks()
	wrong.Start = 0
	call(ctx, c, "no range", c.querier.SelectMergeStacktraces, wrong)
}
