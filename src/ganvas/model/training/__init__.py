"""What every recipe shares while it trains, and the one door to what Lightning keeps private."""
