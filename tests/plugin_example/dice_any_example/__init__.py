"""What a third party needs to teach dice_any an array library and a kernel."""
