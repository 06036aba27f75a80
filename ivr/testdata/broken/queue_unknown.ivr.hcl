# expect: 6: unknown queue
flow "x" {
  language = "en"
  start    = "q"
  enqueue "q" {
    queue = "nosuch"
    otherwise { goto = "bye" }
  }
  hangup "bye" {}
}
