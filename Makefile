# make test      everything: installs the real peers (Debian, root), vet, staticcheck, all tests with the race detector
# make bench     one line per comparison with a baseline of the same run; make bench ROOM=srtp for one room
# make controls  which of the promised controls a passing test proves
# make lint      vet, staticcheck, formatting
# make fuzz      every fuzz target for FUZZTIME (10s)

ROOM ?=
FUZZTIME ?= 10s
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
TESTTIMEOUT ?= 20m

.PHONY: test peers lint bench controls fuzz

test: peers lint
	RINGFENCE_PEERS=required go test -race -timeout $(TESTTIMEOUT) ./...

peers:
	bash .ci/peers

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...

# The packages run one after the other (-p 1): two benchmarks at a time would measure each other.
bench:
	@RINGFENCE_BENCH=1 go test -p 1 -count=1 -timeout 30m -v -run '^TestBenchRatios$$' ./$(if $(ROOM),$(ROOM)/...,...) > .bench.out 2>&1; code=$$?; \
	grep -E '^(ratio|figure) ' .bench.out; if [ $$code -ne 0 ]; then grep -vE '^(=== RUN|\?)' .bench.out; fi; rm -f .bench.out; exit $$code

controls:
	@go test -count=1 -timeout $(TESTTIMEOUT) -json ./... | go run ./internal/control/report > .controls.out; code=$$?; cp .controls.out examples/contactcenter/controls.txt; cat .controls.out; rm -f .controls.out; exit $$code

fuzz:
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
	  for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' $$f); do \
	    echo "$$t in $$(dirname $$f)"; go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f); \
	  done; done
