from tests.application import application as application
from tests.application import applications as applications
from tests.application import embedded_uri as embedded_uri
