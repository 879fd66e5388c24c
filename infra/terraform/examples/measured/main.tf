# Two functions that are measured by the extension: one sends to a gateway, one straight to the bucket.
# terraform init && terraform apply -var extension_layer=… -var push_url=… -var token=… -var bucket=…

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.45, < 7.0"
    }
  }
}

variable "extension_layer" {
  type        = string
  description = "The output `extension_layer` of the module."
}

variable "push_url" {
  type        = string
  description = "The output `push_url` of the module, or the gateway of a server."
}

variable "token" {
  type        = string
  sensitive   = true
  description = "A token that the gateway takes."
}

variable "bucket" {
  type        = string
  description = "The bucket of the module, which its output `storage` names."
}

variable "prefix" {
  type        = string
  default     = "metrics"
  description = "Where in the bucket Mayfly's objects lie."
}

variable "package" {
  type        = string
  default     = "function.zip"
  description = "The code of the functions."
}

resource "aws_lambda_function" "resize" {
  function_name = "resize"
  runtime       = "python3.13"
  handler       = "index.handler"
  filename      = var.package
  timeout       = 30
  role          = aws_iam_role.resize.arn
  layers        = [var.extension_layer]

  environment {
    variables = {
      MAYFLY_GATEWAY = var.push_url
      MAYFLY_TOKEN   = var.token
      # in the place of a token: requests are signed for a Function URL (lambda) or API Gateway (execute-api), and the role must allow the call
      # MAYFLY_SIGV4        = "lambda"
      # MAYFLY_SIGV4_REGION = "eu-west-1"
      # how long groups live if nobody pushes to them again: for ever, where this is not set
      # MAYFLY_PUSH_TTL = "36h"
      # how long sending may take after an invocation
      # MAYFLY_SEND_TIMEOUT = "3s"
      # about how much may wait to be sent
      # MAYFLY_BUFFER_BYTES = "4194304"
      # other ports, or off
      # MAYFLY_PUSH_PORT   = "9091"
      # MAYFLY_OTLP_PORT   = "4318"
      # MAYFLY_STATSD_PORT = "8125"
      # only for emulators of Lambda: where they reach the extension
      # MAYFLY_TELEMETRY_HOST = "127.0.0.1"
    }
  }
}

resource "aws_lambda_function" "nightly" {
  function_name = "nightly"
  runtime       = "python3.13"
  handler       = "index.handler"
  filename      = var.package
  timeout       = 30
  role          = aws_iam_role.nightly.arn
  layers        = [var.extension_layer]

  environment {
    variables = {
      MAYFLY_STORAGE = "s3://${var.bucket}/${var.prefix}"
      # an S3 server other than AWS; AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL are taken too
      # MAYFLY_S3_ENDPOINT = "https://minio.example"
    }
  }
}

locals {
  lambda = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "resize" {
  name               = "resize"
  assume_role_policy = local.lambda
}

resource "aws_iam_role" "nightly" {
  name               = "nightly"
  assume_role_policy = local.lambda
}

resource "aws_iam_role_policy_attachment" "logs" {
  for_each = {
    resize  = aws_iam_role.resize.name
    nightly = aws_iam_role.nightly.name
  }

  role       = each.value
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy" "storage" {
  name = "storage"
  role = aws_iam_role.nightly.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "List"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::${var.bucket}"
      },
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "arn:aws:s3:::${var.bucket}/${var.prefix}/*"
      },
    ]
  })
}
