# expect: 15: mixed secrecy
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
    exhausted { goto = "say" }
  }
  collect "say" {
    prompt = "welcome"
    digits = 4
    into = "pin"
    next = "bye"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
