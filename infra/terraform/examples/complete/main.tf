# terraform init && terraform apply -var "token=$(openssl rand -hex 24)"

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.45, < 7.0"
    }
  }
}

variable "token" {
  type        = string
  sensitive   = true
  description = "What jobs and Grafana show to be let in. Only its hash leaves this machine, but the state holds both."
}

variable "packages" {
  type        = string
  default     = "../../packages"
  description = "What `make -C infra/terraform packages` built."
}

module "mayfly" {
  source       = "../.."
  packages     = var.packages
  token_sha256 = [sha256(var.token)]
  push_ttl     = "36h"
}

output "push_url" {
  value       = module.mayfly.push_url
  description = "Where jobs push."
}

output "query_url" {
  value       = module.mayfly.query_url
  description = "What Grafana asks."
}
