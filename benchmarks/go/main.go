// Go's goami2 at work. The jobs and the result are those of clients/common.py.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/staskobzar/goami2"
)

const (
	username = "bench"
	secret   = "bench"
)

type jobToDo struct {
	Kind        string   `json:"kind"`
	Port        int      `json:"port"`
	Count       int      `json:"count"`
	WarmUp      int      `json:"warm_up"`
	Names       []string `json:"names"`
	Calls       int64    `json:"calls"`
	WarmUpCalls int64    `json:"warm_up_calls"`
	Depth       int      `json:"depth"`
	Connections int      `json:"connections"`
	Seconds     float64  `json:"seconds"`
	Rate        float64  `json:"rate"`
	Burst       int      `json:"burst"`
}

type result struct {
	Calls           int64   `json:"calls"`
	Read            int64   `json:"read"`
	CPUSeconds      float64 `json:"cpu_seconds"`
	WallSeconds     float64 `json:"wall_seconds"`
	ActiveSeconds   float64 `json:"active_seconds"`
	WarmRSS         int64   `json:"warm_rss"`
	PeakRSS         int64   `json:"peak_rss"`
	ConnectionBytes float64 `json:"connection_bytes"`

	Latency map[string]float64 `json:"latency,omitempty"`
}

var (
	job     jobToDo
	begun   = time.Now()
	runners = map[string]func() result{"events": events, "pings": pings, "trickle": trickle, "idle": idle}
)

// meter takes the measures. Handlers of many connections count in it.
var meter struct {
	calls, read atomic.Int64
	wall        time.Time
	cpu         float64
	rss         int64
}

func start() {
	meter.calls.Store(0)
	meter.read.Store(0)
	meter.rss = peakRSS()
	meter.wall, meter.cpu = time.Now(), cpuSeconds()
}

func stop() result {
	cpu := cpuSeconds() - meter.cpu
	return result{
		Calls:         meter.calls.Load(),
		Read:          meter.read.Load(),
		CPUSeconds:    cpu,
		WallSeconds:   time.Since(meter.wall).Seconds(),
		ActiveSeconds: time.Since(begun).Seconds(),
		WarmRSS:       meter.rss,
		PeakRSS:       peakRSS(),
	}
}

func cpuSeconds() float64 {
	usage := resourceUsage()
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func resourceUsage() (usage syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return usage
}

// peakRSS is not Maxrss, which on Linux begins with the size of the process that started this one.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil { // not Linux
		return resourceUsage().Maxrss * 1024
	}
	_, status, _ = bytes.Cut(status, []byte("VmHWM:"))
	return scan(status) * 1024
}

// resident is the memory in use, once the garbage is collected and given back.
func resident() int64 {
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil { // not Linux
		return peakRSS()
	}
	_, statm, _ = bytes.Cut(statm, []byte(" "))
	return scan(statm) * int64(os.Getpagesize())
}

func scan(text []byte) (number int64) {
	if _, err := fmt.Sscan(string(text), &number); err != nil {
		log.Fatal(err)
	}
	return number
}

// manager is a client that is logged in. Its channels are asked for once: Err waits for the lock that the client holds
// while AllMessages is full. A loop that calls Err for each message loses the message that the client could not put in.
type manager struct {
	client   *goami2.Client
	messages <-chan *goami2.Message
	errors   <-chan error
}

func connect(count int) []manager {
	managers := make([]manager, count)
	for number := range managers {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", job.Port))
		if err != nil {
			log.Fatal(err)
		}
		client, err := goami2.NewClient(conn, username, secret)
		if err != nil {
			log.Fatal(err)
		}
		managers[number] = manager{client, client.AllMessages(), client.Err()}
	}
	return managers
}

// next waits for a message. The errors before it are of packets that the client cannot parse, and drops.
func (m manager) next() *goami2.Message {
	for {
		select {
		case message := <-m.messages:
			return message
		case err := <-m.errors:
			if !errors.Is(err, goami2.ErrAMI) {
				log.Fatal(err)
			}
		}
	}
}

// send uses MustSend: Send starts a goroutine for each action, and a Ping at depth 1 costs a twentieth more.
func (m manager) send(action *goami2.Message) {
	if err := m.client.MustSend(action.Byte()); err != nil {
		log.Fatal(err)
	}
}

func newAction(name string) *goami2.Message {
	action := goami2.NewAction(name)
	action.AddActionID()
	return action
}

func newPlay(name string, count int) *goami2.Message {
	action := newAction(name)
	action.AddField("Events", fmt.Sprint(count))
	return action
}

// play asks for events, and handles what comes until the answer says that all are out.
func (m manager) play(action *goami2.Message, handle func(*goami2.Message)) {
	id := action.ActionID()
	m.send(action)
	for {
		message := m.next()
		if message.IsResponse() && message.ActionID() == id {
			return
		}
		handle(message)
	}
}

func handle(message *goami2.Message) {
	if message.IsEvent() { // and not what the client makes of a second blank line
		meter.calls.Add(1)
		meter.read.Add(int64(len(message.Field("Channel"))))
	}
}

// One handler of all events, or of those with the names: the client has one channel for all messages.
func events() result {
	m := connect(1)[0]
	handler := handle
	if len(job.Names) > 0 {
		wanted := make(map[string]bool)
		for _, name := range job.Names {
			wanted[name] = true
		}
		handler = func(message *goami2.Message) {
			if wanted[message.Field("Event")] {
				handle(message)
			}
		}
	}
	m.play(newPlay("Replay", job.WarmUp), handler)
	start()
	m.play(newPlay("Replay", job.Count), handler)
	return stop()
}

// An answer to a Ping sends the next one; `depth` are in flight. The client leaves it to the program to find out to
// which action an answer belongs.
func pings() result {
	m := connect(1)[0]
	inFlight := make(map[string]bool)
	send := func() {
		action := newAction("Ping")
		inFlight[action.ActionID()] = true
		m.send(action)
	}
	ping := func(count int) {
		for number := 0; number < job.Depth; number++ {
			send()
		}
		for toSend := count - job.Depth; len(inFlight) > 0; {
			answer := m.next()
			id := answer.ActionID()
			if !inFlight[id] {
				continue
			}
			delete(inFlight, id)
			meter.calls.Add(1)
			meter.read.Add(int64(len(answer.Field("Response")) + len(answer.Field("Ping"))))
			if toSend > 0 {
				toSend--
				send()
			}
		}
	}
	ping(job.WarmUp)
	start()
	ping(job.Count)
	return stop()
}

// One handler of all events on each connection, in a goroutine.
func trickle() result {
	managers := connect(job.Connections)
	for _, m := range managers[1:] {
		go func(m manager) {
			for {
				handle(m.next())
			}
		}(m)
	}
	// The answer may overtake events on other connections.
	trickled := func(count int, calls int64) {
		managers[0].play(newPlay("Trickle", count), handle)
		for meter.calls.Load() < calls {
			time.Sleep(time.Millisecond)
		}
	}
	trickled(job.WarmUp, job.WarmUpCalls)
	start()
	trickled(job.Count, job.Calls)
	return stop()
}

// Connections that nobody uses. The first one is there before, with what is loaded and made once.
func idle() result {
	managers := connect(1)
	before := resident()
	managers = append(managers, connect(job.Connections)...)
	grown := resident() - before
	start()
	time.Sleep(time.Duration(job.Seconds * float64(time.Second)))
	done := stop()
	done.ConnectionBytes = float64(grown) / float64(len(managers)-1)
	return done
}

func main() {
	log.SetFlags(0)
	if err := json.Unmarshal([]byte(os.Args[1]), &job); err != nil {
		log.Fatal(err)
	}
	runner, known := runners[job.Kind]
	if !known {
		log.Fatalf("%s is not measured here", job.Kind)
	}
	if err := json.NewEncoder(os.Stdout).Encode(runner()); err != nil {
		log.Fatal(err)
	}
}
