# Who calls the functions: URLs, the queue, and the schedule.

resource "aws_lambda_function_url" "push" {
  function_name      = module.push.name
  authorization_type = local.auth_type
}

resource "aws_lambda_function_url" "query" {
  function_name      = module.query.name
  authorization_type = local.auth_type
  invoke_mode        = var.streaming ? "RESPONSE_STREAM" : "BUFFERED"
}

# With tokens anyone may call the URLs; the functions look at the token. AWS wants both permissions for that.
resource "aws_lambda_permission" "url_for_bearers" {
  for_each               = local.has_token ? { push = module.push.name, query = module.query.name } : {}
  statement_id           = "UrlForBearers"
  function_name          = each.value
  action                 = "lambda:InvokeFunctionUrl"
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "function_for_bearers" {
  for_each                 = local.has_token ? { push = module.push.name, query = module.query.name } : {}
  statement_id             = "FunctionForBearers"
  function_name            = each.value
  action                   = "lambda:InvokeFunction"
  principal                = "*"
  invoked_via_function_url = true
}

resource "aws_lambda_event_source_mapping" "messages" {
  event_source_arn = aws_sqs_queue.messages.arn
  function_name    = module.push.arn
  batch_size       = 100
  # more messages share a segment, and so a PUT
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]
}

locals {
  # the next tick does what is left to do, so none is worth much later
  ticks = {
    alert   = { arn = module.alert.arn, name = module.alert.name, rate = "1 minute", retries = 1, age_seconds = 60, runs = var.ticks }
    scrape  = { arn = module.scrape.arn, name = module.scrape.name, rate = "1 minute", retries = 0, age_seconds = 60, runs = var.ticks && var.scrape_config != "" }
    compact = { arn = module.compact.arn, name = module.compact.name, rate = "${var.compact_minutes} minutes", retries = 0, age_seconds = 300, runs = var.ticks }
  }
}

resource "aws_scheduler_schedule" "tick" {
  for_each            = local.ticks
  name                = "${var.name}-${each.key}"
  schedule_expression = "rate(${each.value.rate})"
  state               = each.value.runs ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.arn
    role_arn = aws_iam_role.schedule[each.key].arn

    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = each.value.age_seconds
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "tick" {
  for_each                     = local.ticks
  function_name                = each.value.name
  maximum_retry_attempts       = each.value.retries
  maximum_event_age_in_seconds = each.value.age_seconds
}

resource "aws_iam_role" "schedule" {
  for_each = local.ticks
  name     = "${var.name}-${each.key}-schedule"
  tags     = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  for_each = local.ticks
  name     = "mayfly"
  role     = aws_iam_role.schedule[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = each.value.arn
    }]
  })
}
