# expect: 8: invalid digit
flow "x" {
  language = "en"
  start    = "m"
  collect "m" {
    prompt = "welcome"
    digits = 4
    terminator = "5"
    into   = "pin"
    secret = true
    next   = "bye"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
