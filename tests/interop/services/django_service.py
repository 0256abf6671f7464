"""A callback service in Django, in one file, as `manage.py runserver` runs it.

Run as `python django_service.py runserver --noreload PORT`.
"""

import json
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse
from django.urls import path

settings.configure(DEBUG=True, SECRET_KEY="not one", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)


def echo(request):
    return JsonResponse(json.loads(request.body))


def column(request):
    data = json.loads(request.body)
    data["result"]["备注"] = ["😀" for _ in data["result"]["节点名称"]]
    return JsonResponse(data)


def ok(request):
    return HttpResponse()  # 200, text/html, no body


def text(request):
    return HttpResponse("已记录", content_type="text/plain; charset=utf-8")


def refuse(request):
    return HttpResponseForbidden("维护中")


def raises(request):
    raise ValueError("no such user")  # DEBUG: a page of 60 KB


urlpatterns = [path(view.__name__, view) for view in (echo, column, ok, text, refuse, raises)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
