// Prints what time.ParseDuration makes of each input: the input as a JSON string, a tab, nanoseconds or "-".
//
//	go run scripts/tables/durations.go > crates/bootstorm-model/tests/tables/durations.tsv
package main

import (
	"encoding/json"
	"fmt"
	"time"
)

var inputs = []string{
	"0", "+0", "-0", "", "+", "-", "5", "1.5", "90s", "10m", "1h30m", "30m1h", "1h1h", ".5s", "5.s", ".s", ".", "1.5h30m",
	"-1.5h", "+5s", "--5s", "5 s", " 5s", "5s ", "1d", "1w", "1y", "1S", "1M", "1H", "500ms", "1us", "1\u00b5s", "1\u03bcs",
	"1ns", "0.5ns", "0.9ns", "1e3s", "1_000s", "0x10s", "1h30", "1h30m.", "1m2.5s", "1,5s", "\u0661s", "10 parsecs", "soon",
	"PT5S", "5 minutes", "1min", "1sec", "3.0000000000000000000001s", "0.3333333333333333333h", "9223372036854775807ns",
	"9223372036854775808ns", "-9223372036854775808ns", "-9223372036854775809ns", "9223372036.854775807s",
	"9223372036.854775808s", "2562047h47m16.854775807s", "2562048h", "0.830103483285477580700h", "39h9m14.425s",
	"1h1m1s1ms1us1ns", "00000000000000000000001s", "100000000000000000000s", "0.100000000000000000000h", "\u221e", "1s\n", "1s\x00",
}

func main() {
	for _, input := range inputs {
		quoted, _ := json.Marshal(input)
		if value, err := time.ParseDuration(input); err == nil {
			fmt.Printf("%s\t%d\n", quoted, value.Nanoseconds())
		} else {
			fmt.Printf("%s\t-\n", quoted)
		}
	}
}
