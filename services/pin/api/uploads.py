"""/v1/uploads."""

from litestar import Controller, post
from litestar.params import JSONBody

from services.common.openapi import BEARER
from services.pin.api import schemas
from services.pin.api.resources import USER, Given, Subject, no_profile, problems
from services.pin.identifiers import new_identifier
from services.pin.uploads import request_upload


class UploadController(Controller):
    """Images on their way to the bucket. They do not pass through here."""

    path = "/v1/uploads"
    tags = ["Uploads"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(403), security=BEARER)
    async def create_upload(
        self,
        subject: Subject,
        resources: Given,
        data: JSONBody[schemas.NewUpload],
    ) -> schemas.Upload:
        """Announce an image, and learn where to put it; then make a pin of it with its `upload_id`."""
        me = await resources.database.row(USER, {"subject": subject})
        if me is None:
            raise no_profile()
        made = await request_upload(
            resources.database,
            resources.images,
            new_identifier(),
            me.user_id,
            data.content_type,
            data.content_length,
        )
        return schemas.Upload(str(made.upload_id), made.url, made.fields, made.expires_at)
