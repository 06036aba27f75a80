package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ringfence/ringfence/acd"
)

// serveManagement opens /healthz, /readyz and /metrics over HTTPS. Nothing there names a person: labels are tenants, queues and states.
func (n *node) serveManagement(wg *sync.WaitGroup, failed chan<- error) (stop func(), err error) {
	l, err := net.Listen("tcp", n.cfg.Listen.Management)
	if err != nil {
		return nil, err
	}
	n.managementAddr = l.Addr().String()
	metrics := prometheus.NewRegistry()
	// The runtime's own figures stand beside ours: goroutines, descriptors and memory that only grow are how a leak shows.
	for _, c := range []prometheus.Collector{&collector{n}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := metrics.Register(c); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !n.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		TLSConfig: n.tls.Config(),
	}
	wg.Add(1)
	go func() { // stopped by the function returned, waited for by run
		defer wg.Done()
		if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			srv.Close()
		}
	}, nil
}

// collector reads the counters of the rooms when it is asked.
type collector struct{ n *node }

var (
	descCalls      = prometheus.NewDesc("contactcenter_calls", "Calls in progress.", nil, nil)
	descCallsTotal = prometheus.NewDesc("contactcenter_calls_total", "Calls admitted since start.", nil, nil)
	descRefused    = prometheus.NewDesc("contactcenter_sip_refused_total", "What signalling refused since start.", []string{"what"}, nil)
	descConns      = prometheus.NewDesc("contactcenter_sip_connections", "Signalling connections.", nil, nil)
	descLegs       = prometheus.NewDesc("contactcenter_media_legs", "Media legs open.", nil, nil)
	descPackets    = prometheus.NewDesc("contactcenter_media_packets_total", "RTP packets since start.", []string{"what"}, nil)
	descWaiting    = prometheus.NewDesc("contactcenter_queue_waiting", "Callers waiting.", []string{"tenant", "queue"}, nil)
	descCallbacks  = prometheus.NewDesc("contactcenter_queue_callbacks", "Those of the callers waiting who will be called back.", []string{"tenant", "queue"}, nil)
	descTalking    = prometheus.NewDesc("contactcenter_queue_talking", "Callers in conversation.", []string{"tenant", "queue"}, nil)
	descLongest    = prometheus.NewDesc("contactcenter_queue_longest_wait_seconds", "Longest wait of a caller waiting now.", []string{"tenant", "queue"}, nil)
	descAgents     = prometheus.NewDesc("contactcenter_agents", "Agents by state.", []string{"tenant", "state"}, nil)
	descRecording  = prometheus.NewDesc("contactcenter_recordings_open", "Recordings being made.", []string{"tenant"}, nil)
	descLost       = prometheus.NewDesc("contactcenter_recording_lost_frames_total", "Frames that could not be recorded.", []string{"tenant"}, nil)
)

func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := c.n.ep.Stats()
	gauge(descCalls, float64(s.LiveCalls))
	gauge(descConns, float64(s.Conns))
	count(descCallsTotal, s.Calls)
	count(descRefused, s.RefusedAuth, "authentication")
	count(descRefused, s.RefusedCalls, "calls")
	count(descRefused, s.RefusedConns, "connections")
	count(descRefused, s.FailedHandshakes, "handshakes")
	m := c.n.engine.Stats()
	gauge(descLegs, float64(m.Legs))
	count(descPackets, m.Sent, "sent")
	count(descPackets, m.Received, "received")
	count(descPackets, m.Lost, "lost")
	count(descPackets, m.Strangers, "stranger")
	count(descPackets, m.AuthFailures, "unauthentic")
	count(descPackets, m.Replays, "replayed")
	for _, site := range c.n.sites {
		snap, callbacks := site.center.Snapshot(), site.callbacks()
		for _, q := range snap.Queues {
			gauge(descWaiting, float64(q.Waiting+q.Offered), site.name, q.Name)
			gauge(descCallbacks, float64(callbacks[q.Name]), site.name, q.Name)
			gauge(descTalking, float64(q.Talking), site.name, q.Name)
			gauge(descLongest, q.LongestWait.Seconds(), site.name, q.Name)
		}
		states := map[acd.AgentState]int{}
		for _, a := range snap.Agents {
			states[a.State]++
		}
		for _, st := range acd.States() {
			gauge(descAgents, float64(states[st]), site.name, st.String())
		}
		v := site.vault.Stats()
		gauge(descRecording, float64(v.Open), site.name)
		count(descLost, v.LostFrames, site.name)
		site.copiesState(gauge)
	}
}
