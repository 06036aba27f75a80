# expect: 14: endless loop
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "again" }
  }
  play "again" {
    prompt = "welcome"
    next = "m"
  }
  hangup "bye" {}
}
