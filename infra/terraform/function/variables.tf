variable "name" {
  type        = string
  description = "Of the function, its role and its log."
}

variable "package" {
  type        = string
  description = "The zip file with its bootstrap."
}

variable "architecture" {
  type        = string
  description = "For which processors it was built."
}

variable "memory_mib" {
  type        = number
  description = "Memory, which decides about its share of a processor as well."
}

variable "timeout_seconds" {
  type        = number
  description = "How long a call may take."
}

variable "environment" {
  type        = map(string)
  description = "Its settings."
}

variable "statements" {
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
  }))
  description = "What it may do beside writing its log."
}

variable "failure" {
  type        = string
  description = "What it means when it fails: the text of the alarm."
}

variable "alarm_topic" {
  type        = string
  description = "An SNS topic that hears of the alarm, or null."
}

variable "log_days" {
  type        = number
  description = "How long its log is kept."
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything."
}
