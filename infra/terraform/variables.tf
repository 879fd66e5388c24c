variable "name" {
  type        = string
  default     = "mayfly"
  description = "What the names of all resources begin with."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "name: expected a small letter, then small letters, digits and dashes, 30 at most."
  }
}

variable "bucket" {
  type        = string
  default     = null
  description = "The name of the bucket, which is made here. Unset: made up by AWS from `name`."
}

variable "packages" {
  type        = string
  description = "The folder with push.zip, query.zip, alert.zip, scrape.zip, compact.zip and extension.zip, as `make -C infra/terraform packages` leaves them."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "For which processors the functions were built."

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture: expected x86_64 or arm64."
  }
}

variable "prefix" {
  type        = string
  default     = "metrics"
  description = "Where in the bucket Mayfly's objects lie."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_/-]*[A-Za-z0-9_-]$", var.prefix))
    error_message = "prefix: expected letters, digits, _, - and / between them."
  }
}

variable "token_sha256" {
  type        = list(string)
  default     = []
  description = "SHA-256 in hex of tokens that may call the URLs. Empty: the URLs ask for AWS signatures instead."

  validation {
    condition     = alltrue([for hash in var.token_sha256 : can(regex("^[0-9a-fA-F]{64}$", hash))])
    error_message = "token_sha256: expected 64 hex digits each: the hash of a token, not the token."
  }
}

variable "push_ttl" {
  type        = string
  default     = ""
  description = "How long a group lives if nobody pushes to it again, like 36h. Empty: for ever."

  validation {
    condition     = can(regex("^([0-9]+(ms|[smhdwy]))*$", var.push_ttl))
    error_message = "push_ttl: expected a duration like 36h or 1d12h."
  }
}

variable "rules" {
  type        = list(string)
  default     = ["rules/jobs.yml"]
  description = "Rule files: paths in the alert function (rules/jobs.yml is there), or s3://BUCKET/rules/NAME in the bucket made here."
}

variable "alertmanager_urls" {
  type        = list(string)
  default     = []
  description = "Alertmanagers; each gets every alert. Empty: alerts are seen in the query API only."
}

variable "alertmanager_config_file" {
  type        = string
  default     = ""
  description = "Alertmanager's configuration, s3://BUCKET/rules/NAME in the bucket made here: receivers are notified by it, without an Alertmanager."
}

variable "scrape_config" {
  type        = string
  default     = ""
  description = "Prometheus' configuration with scrape_configs, s3://BUCKET/rules/NAME in the bucket made here. Empty: nothing is scraped."
}

variable "scrape_for" {
  type        = string
  default     = ""
  description = "How long the scrape function goes on each minute, like 50s. Empty: each target that is due is scraped once."

  validation {
    condition     = can(regex("^([0-9]+(ms|[sm]))*$", var.scrape_for))
    error_message = "scrape_for: expected a duration like 50s."
  }
}

variable "scrape_discovery" {
  type        = bool
  default     = false
  description = "Whether the scrape function may ask EC2 and ECS for targets."
}

variable "external_url" {
  type        = string
  default     = ""
  description = "Where people reach the query page that alerts link to."
}

variable "heartbeat_url" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A URL to GET after each tick of rules: at a service that raises the alarm when that ends."
}

variable "retention" {
  type        = object({ pushes = optional(string, ""), samples = optional(string, "") })
  default     = {}
  description = "How long what was pushed is kept in history, and samples: what rules record and remote write brings. Whole days, like 400d. Empty: for ever."

  validation {
    condition     = alltrue([for kept in values(var.retention) : can(regex("^([0-9]+[smhdwy])*$", kept))])
    error_message = "retention: expected durations like 400d or 1y."
  }
}

variable "ticks" {
  type        = bool
  default     = true
  description = "Whether rules are evaluated every minute, targets scraped, and segments merged."
}

variable "compact_minutes" {
  type        = number
  default     = 10
  description = "How often segments are merged. More often makes queries cheaper, and costs a tick each time."

  validation {
    condition     = floor(var.compact_minutes) == var.compact_minutes && var.compact_minutes >= 2 && var.compact_minutes <= 60
    error_message = "Expected whole minutes, from 2 to 60."
  }
}

variable "streaming" {
  type        = bool
  default     = true
  description = "Whether the query URL streams answers, so that they may be larger than 6 MiB."
}

variable "alarm_topic" {
  type        = string
  default     = null
  description = "An SNS topic that hears of alarms about the functions themselves. Unset: they show in CloudWatch only."
}

variable "log_days" {
  type        = number
  default     = 14
  description = "How long logs are kept."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of all resources that can have some."
}
