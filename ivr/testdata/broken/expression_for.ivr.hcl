# expect: 6: unsupported expression
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = [for x in ["a"] : x]
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
