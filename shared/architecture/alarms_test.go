package architecture

import (
	"fmt"
	"strings"
	"testing"
)

// alarming reports whether an alarm watches a metric, and from how much in how many seconds.
func (tm template) alarming(namespace, metric string) (threshold, period string, ok bool) {
	for id, alarm := range tm.of("AWS::CloudWatch::Alarm") {
		if p := alarm.Properties; p["Namespace"] == namespace && p["MetricName"] == metric && !strings.HasSuffix(id, "CanaryAlarm") {
			return fmt.Sprint(p["Threshold"]), fmt.Sprint(p["Period"]), true
		}
	}
	return "", "", false
}

// TestWhatNobodyRepeatsRaisesAnAlarm: a webhook that is refused is gone soon, and a small tenant has few of them.
func TestWhatNobodyRepeatsRaisesAnAlarm(t *testing.T) {
	for sentence, c := range map[string]struct{ namespace, metric, threshold string }{
		"one refusal by a function, for its signature or its account": {"Signalbox", "WebhookRejected", "1"},
		"one refusal by the gateway itself, a throttle above all":     {"Signalbox", "GatewayRefused", "1"},
		"one failure of the gateway or a function":                    {"AWS/ApiGateway", "5xx", "1"},
		"one message of the spool that cannot be read":                {"Signalbox", "SpoolUnreadable", "1"},
		"many 4xx, whoever answered them and whether they are logged": {"AWS/ApiGateway", "4xx", "100"},
	} {
		t.Run(sentence, func(t *testing.T) {
			threshold, period, ok := written(t).alarming(c.namespace, c.metric)
			if !ok || threshold != c.threshold || period != "60" && period != "300" {
				t.Errorf("an alarm on %s %s is to be raised by %s within five minutes: it is %q in %q s (there is one: %t)",
					c.namespace, c.metric, c.threshold, threshold, period, ok)
			}
		})
	}
}

// TestWhatAnybodyMayBeRefusedRaisesNoAlarm: an address of ours that nobody has, and what is for operators asked for without their credentials. One
// such request of a stranger would page somebody.
func TestWhatAnybodyMayBeRefusedRaisesNoAlarm(t *testing.T) {
	pattern := fmt.Sprint(written(t).Resources["GatewayRefused"].Properties["FilterPattern"])
	for _, status := range []string{"404", "403"} {
		if !strings.Contains(pattern, `$.status != "`+status+`"`) {
			t.Errorf("GatewayRefused counts %s: %s", status, pattern)
		}
	}
}

// TestEveryMetricThatIsWatchedIsWritten: an alarm on a metric with another spelling is silent for ever.
func TestEveryMetricThatIsWatchedIsWritten(t *testing.T) {
	tm, said := written(t), sources(t)
	filtered := map[string]bool{}
	for id, f := range tm.of("AWS::Logs::MetricFilter") {
		transformations, _ := f.Properties["MetricTransformations"].([]any)
		for _, m := range transformations {
			filtered[fmt.Sprint(at(m, "MetricName"))] = true
		}
		format := fmt.Sprint(at(tm.Resources["Gateway"].Properties, "AccessLogSettings", "Format", "Fn::Sub"))
		for _, field := range []string{"stack", "status", "integrationStatus"} {
			if pattern := fmt.Sprint(f.Properties); !strings.Contains(pattern, "$."+field) || !strings.Contains(format, `"`+field+`":`) {
				t.Errorf("%s is to use the field %s, and the access log to have it", id, field)
			}
		}
	}
	for id, alarm := range tm.of("AWS::CloudWatch::Alarm") {
		name := fmt.Sprint(alarm.Properties["MetricName"])
		if alarm.Properties["Namespace"] == "Signalbox" && !said.literals[name] && !filtered[name] {
			t.Errorf("%s watches %s, which nothing writes", id, name)
		}
	}
}
