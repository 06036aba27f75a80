# expect: 16: endless loop
flow "x" {
  language = "en"
  start    = "m"
  play "m" {
    prompt = "welcome"
    next = "n"
  }
  play "n" {
    prompt = "welcome"
    next = "q"
  }
  enqueue "q" {
    queue = "sales"
    on_full { goto = "bye" }
    otherwise { goto = "m" }
  }
  hangup "bye" {}
}
