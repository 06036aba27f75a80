# expect: 4: invalid expression
flow "x" {
  language = "en"
  start =
}
