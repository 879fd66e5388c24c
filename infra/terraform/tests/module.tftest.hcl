# With a mock of AWS: what the module makes of its variables. tests/peers/test_22_terraform.py runs this and compares the result with
# the SAM template.

mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn    = "arn:aws:s3:::bucket"
      bucket = "bucket"
      id     = "bucket"
    }
  }
}

variables {
  packages = "./tests/packages"
}

run "without_a_token" {
  assert {
    condition     = aws_lambda_function_url.push.authorization_type == "AWS_IAM" && aws_lambda_function_url.query.authorization_type == "AWS_IAM"
    error_message = "Without a token AWS is to look at who calls."
  }

  assert {
    condition     = length(aws_lambda_permission.url_for_bearers) == 0 && length(aws_lambda_permission.function_for_bearers) == 0
    error_message = "Without a token nobody is let in."
  }

  assert {
    condition     = module.push.environment.MAYFLY_STORAGE == "s3://bucket/metrics" && output.storage == "s3://bucket/metrics"
    error_message = "Objects lie below the prefix."
  }

  assert {
    condition     = { for name, tick in aws_scheduler_schedule.tick : name => tick.state } == { alert = "ENABLED", scrape = "DISABLED", compact = "ENABLED" }
    error_message = "Rules are evaluated, and segments merged; without jobs nothing is scraped."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.messages_dead.alarm_actions) == 0
    error_message = "Nobody is told of alarms unless there is a topic."
  }
}

run "with_tokens" {
  variables {
    token_sha256 = [sha256("one"), sha256("two")]
    alarm_topic  = "arn:aws:sns:eu-west-1:123456789012:alarms"
    prefix       = "team/metrics"
    push_ttl     = "1d12h"
    rules        = ["rules/jobs.yml", "s3://bucket/rules/more.yml"]
    streaming    = false
    ticks        = false
    retention    = { pushes = "400d" }

    compact_minutes = 2
  }

  assert {
    condition     = aws_scheduler_schedule.tick["compact"].schedule_expression == "rate(2 minutes)"
    error_message = "Segments are merged as often as is said."
  }

  assert {
    condition     = aws_lambda_function_url.push.authorization_type == "NONE" && aws_lambda_function_url.query.authorization_type == "NONE"
    error_message = "With tokens the functions look at who calls."
  }

  assert {
    condition     = length(aws_lambda_permission.url_for_bearers) == 2 && length(aws_lambda_permission.function_for_bearers) == 2
    error_message = "AWS wants both permissions of both functions."
  }

  assert {
    condition     = module.query.environment.MAYFLY_TOKEN_SHA256 == "${sha256("one")},${sha256("two")}"
    error_message = "Hashes have commas between them."
  }

  assert {
    condition     = module.alert.environment.MAYFLY_RULES == "rules/jobs.yml,s3://bucket/rules/more.yml"
    error_message = "Rule files have commas between them."
  }

  assert {
    condition     = module.compact.environment.MAYFLY_STORAGE_RETENTION_PUSHES == "400d" && module.compact.environment.MAYFLY_STORAGE_RETENTION_SAMPLES == ""
    error_message = "What is pushed is kept for so long, and samples for ever."
  }

  assert {
    condition     = aws_lambda_function_url.query.invoke_mode == "BUFFERED" && module.query.environment.MAYFLY_RESPONSE_STREAMING == "false"
    error_message = "The URL and the function agree about streaming."
  }

  assert {
    condition     = { for name, tick in aws_scheduler_schedule.tick : name => tick.state } == { alert = "DISABLED", scrape = "DISABLED", compact = "DISABLED" }
    error_message = "No rules are evaluated, and nothing is merged."
  }

  assert {
    condition     = one([for statement in module.query.statements : statement.resources if statement.sid == "Objects"]) == tolist(["arn:aws:s3:::bucket/team/metrics/*"])
    error_message = "A function reads below the prefix only."
  }

  assert {
    condition     = alltrue([for alarm in [aws_cloudwatch_metric_alarm.push_throttled, aws_cloudwatch_metric_alarm.messages_old, aws_cloudwatch_metric_alarm.messages_dead] : alarm.alarm_actions == toset([var.alarm_topic])])
    error_message = "The topic hears of alarms."
  }
}

run "mistakes_are_told" {
  command = plan

  variables {
    architecture = "arm"
    name         = "Mayfly"
    prefix       = "metrics/"
    push_ttl     = "soon"
    retention    = { samples = "long" }
    token_sha256 = ["secret"]
  }

  expect_failures = [
    var.architecture,
    var.name,
    var.prefix,
    var.push_ttl,
    var.retention,
    var.token_sha256,
  ]
}

run "with_jobs_to_scrape" {
  variables {
    scrape_config = "s3://bucket/rules/scrape.yml"
    scrape_for    = "50s"

    scrape_discovery = true
  }

  assert {
    condition     = aws_scheduler_schedule.tick["scrape"].state == "ENABLED" && aws_scheduler_schedule.tick["scrape"].schedule_expression == "rate(1 minute)"
    error_message = "Targets are scraped every minute."
  }

  assert {
    condition     = module.scrape.environment.MAYFLY_SCRAPE_CONFIG == "s3://bucket/rules/scrape.yml" && module.scrape.environment.MAYFLY_SCRAPE_FOR == "50s"
    error_message = "The function is told what it scrapes."
  }

  assert {
    condition     = contains(module.scrape.statements[*].sid, "Targets") && !contains(module.query.statements[*].sid, "Targets")
    error_message = "The function may ask AWS for targets."
  }
}
