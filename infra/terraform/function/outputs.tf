output "name" {
  value       = aws_lambda_function.this.function_name
  description = "Of the function."
}

output "arn" {
  value       = aws_lambda_function.this.arn
  description = "Of the function."
}

output "environment" {
  value       = var.environment
  description = "Its settings."
}

output "statements" {
  value       = var.statements
  description = "What it may do beside writing its log."
}
