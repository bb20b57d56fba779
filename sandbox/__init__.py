"""Stand-in for Meta's WhatsApp Business Calling: Graph API, webhooks, and users with media."""
