"""What browsers, tools and Meta speak to."""
