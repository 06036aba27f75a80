# expect: 15: variable may be unset
flow "x" {
  language = "en"
  start    = "m"
  collect "m" {
    prompt = "welcome"
    digits = 4
    into   = "pin"
    next   = "say"
    no_input {}
    no_match {}
    exhausted { goto = "say" }
  }
  note "say" {
    text = var.pin
    next = "bye"
  }
  hangup "bye" {}
}
