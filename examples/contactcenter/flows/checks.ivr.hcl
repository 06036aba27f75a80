# Numbers that prove a line works.

# 9002: hear yourself.
flow "echo" {
  language = "en"
  start    = "echo"

  echo "echo" {
    limit = "5m"
    next  = "bye"
  }

  hangup "bye" { prompt = "goodbye" }
}

# 9003: three seconds of 1 kHz, to be measured.
flow "reference" {
  language = "en"
  start    = "tone"

  hangup "tone" { prompt = "reference" }
}
