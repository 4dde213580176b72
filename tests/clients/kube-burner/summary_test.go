package burner

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Metadata of a run, which IndexJobSummary merges into the document.
var metadata = []string{
	"tool", "run", "goal", "vms", "reached", "failed", "timedOut", "unknown", "excluded", "validity",
	"k8sVersion", "kubevirtVersion", "totalNodes",
}

func TestBootstormSummary(t *testing.T) {
	file, err := os.Open(filepath.Join(os.Getenv("BOOTSTORM_DOCUMENTS"), "jobSummary.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var documents []map[string]any
	if err := json.NewDecoder(file).Decode(&documents); err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		if document["tool"] != "kubectl-bootstorm" {
			t.Errorf("metadata: %v", document["tool"])
		}
		for _, key := range metadata {
			delete(document, key)
		}
		rest, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(rest))
		decoder.DisallowUnknownFields()
		var one JobSummary
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		if one.MetricName != jobSummaryMetric || one.UUID == "" || one.JobConfig.Name == "" || !one.Passed {
			t.Errorf("incomplete: %+v", one)
		}
		if one.EndTimestamp.Before(one.Timestamp) || one.ElapsedTime <= 0 {
			t.Errorf("times: %+v", one)
		}
	}
	t.Logf("%d summaries", len(documents))
}
