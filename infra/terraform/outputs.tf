output "storage" {
  value       = local.common.MAYFLY_STORAGE
  description = "For mayfly serve --storage."
}

output "push_url" {
  value       = aws_lambda_function_url.push.function_url
  description = "Where jobs push, as to a Pushgateway."
}

output "query_url" {
  value       = aws_lambda_function_url.query.function_url
  description = "The query API, for Grafana and promtool."
}

output "extension_layer" {
  value       = aws_lambda_layer_version.extension.arn
  description = "The layer for functions that are measured: its ARN."
}

output "messages_url" {
  value       = aws_sqs_queue.messages.url
  description = "The queue for pushes that nobody waits for."
}

output "dead_messages_url" {
  value       = aws_sqs_queue.dead_messages.url
  description = "Messages that could not be stored."
}

output "alert_function" {
  value       = module.alert.name
  description = "For a tick on demand: aws lambda invoke."
}

output "scrape_function" {
  value       = module.scrape.name
  description = "To scrape on demand: aws lambda invoke."
}

output "compact_function" {
  value       = module.compact.name
  description = "To merge on demand: aws lambda invoke."
}
