"""What prevention proposes at an age: vaccinations, screenings, examinations (docs/reminders.md). Pure rules."""
