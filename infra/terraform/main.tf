# Mayfly without servers: jobs push to a URL or a queue, PromQL is answered at a URL, rules are evaluated on a schedule; all of it
# lies in one bucket. The same as ../sam/template.yaml; a test compares the two.

locals {
  has_token = length(var.token_sha256) > 0
  auth_type = local.has_token ? "NONE" : "AWS_IAM"
  # one heap for all threads, of which few do something at a time: what one frees another can use
  common  = { MAYFLY_STORAGE = "s3://${aws_s3_bucket.this.bucket}/${var.prefix}", MALLOC_ARENA_MAX = "1" }
  token   = local.has_token ? { MAYFLY_TOKEN_SHA256 = join(",", var.token_sha256) } : {}
  objects = "${aws_s3_bucket.this.arn}/${var.prefix}"

  # what every function may do
  list = { sid = "List", actions = ["s3:ListBucket"], resources = [aws_s3_bucket.this.arn] }
  # lists are of all that an account has
  targets = {
    sid = "Targets"
    actions = [
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstances",
      "ec2:DescribeNetworkInterfaces",
      "ecs:DescribeClusters",
      "ecs:DescribeContainerInstances",
      "ecs:DescribeServices",
      "ecs:DescribeTasks",
      "ecs:ListClusters",
      "ecs:ListServices",
      "ecs:ListTasks",
    ]
    resources = ["*"]
  }
}

module "push" {
  source          = "./function"
  name            = "${var.name}-push"
  package         = "${var.packages}/push.zip"
  architecture    = var.architecture
  memory_mib      = 256
  timeout_seconds = 30
  environment     = merge(local.common, local.token, { MAYFLY_PUSH_TTL = var.push_ttl })
  statements = [
    local.list,
    { sid = "Objects", actions = ["s3:GetObject", "s3:PutObject"], resources = ["${local.objects}/*"] },
    {
      sid       = "Messages"
      actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      resources = [aws_sqs_queue.messages.arn]
    },
  ]
  failure     = "Pushes over HTTP or of the queue failed as a whole, see the log."
  alarm_topic = var.alarm_topic
  log_days    = var.log_days
  tags        = var.tags
}

module "query" {
  source          = "./function"
  name            = "${var.name}-query"
  package         = "${var.packages}/query.zip"
  architecture    = var.architecture
  memory_mib      = 1024
  timeout_seconds = 60
  environment = merge(local.common, local.token, {
    MAYFLY_QUERY_TIMEOUT      = "55s"
    MAYFLY_RESPONSE_STREAMING = tostring(var.streaming)
  })
  statements = [
    local.list,
    { sid = "Objects", actions = ["s3:GetObject"], resources = ["${local.objects}/*"] },
  ]
  failure     = "Queries failed without an answer, see the log."
  alarm_topic = var.alarm_topic
  log_days    = var.log_days
  tags        = var.tags
}

module "alert" {
  source          = "./function"
  name            = "${var.name}-alert"
  package         = "${var.packages}/alert.zip"
  architecture    = var.architecture
  memory_mib      = 512
  timeout_seconds = 55
  environment = merge(local.common, {
    MAYFLY_ALERTMANAGER_CONFIG_FILE = var.alertmanager_config_file
    MAYFLY_ALERTMANAGER_URL         = join(",", var.alertmanager_urls)
    MAYFLY_EXTERNAL_URL             = var.external_url
    MAYFLY_HEARTBEAT_URL            = var.heartbeat_url
    MAYFLY_QUERY_TIMEOUT            = "45s"
    MAYFLY_RULES                    = join(",", var.rules)
  })
  statements = [
    local.list,
    { sid = "Objects", actions = ["s3:GetObject"], resources = ["${local.objects}/*"] },
    # what rules record, and what is remembered of alerts
    {
      sid       = "Written"
      actions   = ["s3:PutObject"]
      resources = ["${local.objects}/default/samples/*", "${local.objects}/default/alerts/*"]
    },
    # alerts that notifications have taken in
    {
      sid       = "TakenIn"
      actions   = ["s3:DeleteObject"]
      resources = ["${local.objects}/default/alerts/notify/inbox/*"]
    },
    { sid = "Rules", actions = ["s3:GetObject"], resources = ["${aws_s3_bucket.this.arn}/rules/*"] },
  ]
  failure     = "Rules were not evaluated, or a receiver of alerts does not answer, see the log."
  alarm_topic = var.alarm_topic
  log_days    = var.log_days
  tags        = var.tags
}

module "scrape" {
  source          = "./function"
  name            = "${var.name}-scrape"
  package         = "${var.packages}/scrape.zip"
  architecture    = var.architecture
  memory_mib      = 512
  timeout_seconds = 58
  environment = merge(local.common, {
    MAYFLY_SCRAPE_CONFIG = var.scrape_config
    MAYFLY_SCRAPE_FOR    = var.scrape_for
  })
  statements = concat([
    local.list,
    { sid = "Objects", actions = ["s3:GetObject"], resources = ["${local.objects}/*"] },
    # what is scraped, and what is remembered of targets
    {
      sid       = "Written"
      actions   = ["s3:PutObject"]
      resources = ["${local.objects}/default/samples/*", "${local.objects}/default/exemplars/*", "${local.objects}/default/scrape/*"]
    },
    { sid = "Jobs", actions = ["s3:GetObject"], resources = ["${aws_s3_bucket.this.arn}/rules/*"] },
    ], var.scrape_discovery ? [local.targets] : []
  )
  failure     = "Targets were not scraped, or not all of them in time, see the log."
  alarm_topic = var.alarm_topic
  log_days    = var.log_days
  tags        = var.tags
}

module "compact" {
  source          = "./function"
  name            = "${var.name}-compact"
  package         = "${var.packages}/compact.zip"
  architecture    = var.architecture
  memory_mib      = 1024
  timeout_seconds = 300
  environment = merge(local.common, {
    MAYFLY_STORAGE_RETENTION_PUSHES  = var.retention.pushes
    MAYFLY_STORAGE_RETENTION_SAMPLES = var.retention.samples
  })
  statements = [
    local.list,
    {
      sid       = "Objects"
      actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      resources = ["${local.objects}/*"]
    },
  ]
  failure     = "Segments are not merged, so queries take longer and longer, see the log."
  alarm_topic = var.alarm_topic
  log_days    = var.log_days
  tags        = var.tags
}

# For functions elsewhere that are measured; versions that they use stay.
resource "aws_lambda_layer_version" "extension" {
  layer_name               = "${var.name}-extension"
  description              = "Takes metrics inside a function's sandbox, so that the function never waits for a network."
  filename                 = "${var.packages}/extension.zip"
  source_code_hash         = filebase64sha256("${var.packages}/extension.zip")
  compatible_architectures = [var.architecture]
  skip_destroy             = true
}
