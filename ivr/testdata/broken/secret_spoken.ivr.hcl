# expect: 17: secret would leak
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
  play "say" {
    prompt = "welcome"
    spell = var.pin
    next = "bye"
  }
  hangup "bye" {}
}
