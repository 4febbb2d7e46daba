// On Linux alone: the server's times are those of the monotonic clock, which Go hides.
package main

import (
	"fmt"
	"log"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/staskobzar/goami2"
)

const pingEvery = 10 * time.Millisecond

var percentiles = map[string]float64{"p50": 0.5, "p99": 0.99, "p99.9": 0.999}

func init() {
	runners["latency"] = latency
}

// monotonic returns a clock: the seconds that the server's clock shows.
func monotonic() func() float64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	if _, _, err := syscall.Syscall(
		syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0,
	); err != 0 {
		log.Fatal(err)
	}
	read := time.Now()
	return func() float64 { return (time.Duration(now.Nano()) + time.Since(read)).Seconds() }
}

// One handler of all events, and a goroutine that sends a Ping every ten milliseconds.
func latency() result {
	m, now := connect(1)[0], monotonic()
	late := make(map[string][]float64)
	var inFlight sync.Map // when the Pings were sent, by their ids
	handler := func(message *goami2.Message) {
		handle(message)
		if sent := message.Field("Sent"); sent != "" {
			at, err := strconv.ParseFloat(sent, 64)
			if err != nil {
				log.Fatal(err)
			}
			late["event"] = append(late["event"], now()-at)
		} else if at, found := inFlight.LoadAndDelete(message.ActionID()); found {
			late["ping"] = append(late["ping"], now()-at.(float64))
		}
	}
	m.play(newPlay("Replay", job.WarmUp), handler)
	replayed := time.Now()
	m.play(newPlay("Replay", job.WarmUp), handler)
	rate := job.Rate
	if rate == 0 {
		rate = float64(job.WarmUp) / time.Since(replayed).Seconds() / 2
	}
	go func() {
		for range time.Tick(pingEvery) {
			ping := newAction("Ping")
			inFlight.Store(ping.ActionID(), now())
			m.send(ping)
		}
	}()
	start()
	pace := newPlay("Pace", job.Count)
	pace.AddField("Rate", fmt.Sprint(rate))
	pace.AddField("Burst", fmt.Sprint(job.Burst))
	m.play(pace, handler)
	done := stop()
	done.Latency = make(map[string]float64)
	for what, seconds := range late {
		sort.Float64s(seconds)
		for name, part := range percentiles {
			done.Latency[what+" "+name] = seconds[int(part*float64(len(seconds)))] * 1e6
		}
	}
	return done
}
