# expect: 8: out of range
flow "x" {
  language = "en"
  start    = "m"
  collect "m" {
    prompt = "welcome"
    min = 4
    max = 3
    into   = "pin"
    secret = true
    next   = "bye"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
