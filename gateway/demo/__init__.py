"""All on one machine: the gateway, a stand-in for WhatsApp, a check without a person."""
