"""What the topics are written with: processes, the gateway, the bot, documents, and the count."""
