package measurements

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-burner/kube-burner/v2/pkg/measurements/metrics"
)

// bootstormFiles decodes every file of a pattern into a list of documents, and refuses fields that T does not have.
func bootstormFiles[T any](t *testing.T, pattern string) []T {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("BOOTSTORM_DOCUMENTS"), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	var all []T
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		decoder := json.NewDecoder(file)
		decoder.DisallowUnknownFields()
		var documents []T
		if err := decoder.Decode(&documents); err != nil {
			t.Fatalf("%s: %v", filepath.Base(name), err)
		}
		all = append(all, documents...)
	}
	return all
}

func TestBootstormVMs(t *testing.T) {
	vms := bootstormFiles[vmiMetric](t, "vmiLatencyMeasurement-*.json")
	for _, vm := range vms {
		if vm.MetricName != "vmiLatencyMeasurement" || vm.UUID == "" || vm.Namespace == "" || vm.VMName == "" {
			t.Errorf("incomplete: %+v", vm)
		}
		if vm.Timestamp.IsZero() || vm.VMIRunningLatency <= 0 || vm.VMIRunningLatency < vm.VMIScheduledLatency {
			t.Errorf("times: %+v", vm)
		}
	}
	t.Logf("%d documents of VMs", len(vms))
}

func TestBootstormQuantiles(t *testing.T) {
	quantiles := bootstormFiles[metrics.LatencyQuantiles](t, "vmiLatencyQuantilesMeasurement-*.json")
	running := 0
	for _, one := range quantiles {
		if one.MetricName != "vmiLatencyQuantilesMeasurement" || one.Min > one.P50 || one.P50 > one.P99 || one.P99 > one.Max {
			t.Errorf("quantiles: %+v", one)
		}
		if one.QuantileName == "VMIRunning" {
			running++
		}
	}
	if running == 0 {
		t.Error("no quantiles of VMIRunning")
	}
	t.Logf("%d documents of quantiles", len(quantiles))
}
