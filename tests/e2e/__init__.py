"""The whole system: real processes, real media, a stand-in for WhatsApp."""
