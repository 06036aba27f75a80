# expect: 5: missing length
flow "x" {
  language = "en"
  start    = "m"
  collect "m" {
    prompt = "welcome"
    into   = "pin"
    secret = true
    next   = "bye"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
