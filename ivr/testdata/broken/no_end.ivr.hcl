# expect: 5: no end
flow "x" {
  language = "en"
  start = "a"
  menu "a" {
    prompt = "welcome"
    choice "1" { goto = "b" }
    no_input { goto = "b" }
    no_match { goto = "b" }
  }
  menu "b" {
    prompt = "welcome"
    choice "1" { goto = "a" }
    no_input { prompt = "welcome" }
    no_match { goto = "a" }
    exhausted { goto = "a" }
  }
}
