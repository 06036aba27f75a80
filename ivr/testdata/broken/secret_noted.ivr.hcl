# expect: 16: secret would leak
flow "x" {
  language = "en"
  start    = "m"
  collect "m" {
    prompt = "welcome"
    digits = 4
    into   = "pin"
    secret = true
    next   = "say"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  note "say" {
    text = "pin ${var.pin}"
    next = "bye"
  }
  hangup "bye" {}
}
