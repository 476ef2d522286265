"""Authors write books; books have tags, reviews and one cover; shops stock books."""

from __future__ import annotations

from aorm import models


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    age = models.IntegerField(null=True)
    email = models.EmailField(blank=True, default="")
    friends = models.ManyToManyField("self", blank=True)
    mentor = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="students"
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    name = models.SlugField(unique=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class AvailableBooks(models.Manager):
    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(available=True)


class Book(models.Model):
    class Binding(models.TextChoices):
        HARD = "h", "Hardcover"
        SOFT = "s", "Paperback"

    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    editor = models.ForeignKey(
        Author, null=True, on_delete=models.PROTECT, related_name="edited_books"
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="books")
    pages = models.IntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    rating = models.FloatField(null=True)
    published = models.DateField(null=True)
    added = models.DateTimeField(auto_now_add=True)
    available = models.BooleanField(default=True)
    binding = models.CharField(max_length=1, choices=Binding, default=Binding.SOFT)
    details = models.JSONField(default=dict)

    objects = models.Manager()
    on_sale = AvailableBooks()

    class Meta:
        get_latest_by = "published"
        constraints = (
            models.UniqueConstraint(fields=("author", "title"), name="shop_book_once"),
            models.CheckConstraint(condition=models.Q(pages__gte=0), name="shop_book_pages"),
        )
        indexes = (models.Index(fields=("published",), name="shop_book_published"),)

    def __str__(self) -> str:
        return self.title


class Cover(models.Model):
    book = models.OneToOneField(Book, primary_key=True, on_delete=models.CASCADE)
    artist = models.CharField(max_length=100)


class Shop(models.Model):
    name = models.CharField(max_length=100)
    books = models.ManyToManyField(Book, through="Stock", related_name="shops")

    def __str__(self) -> str:
        return self.name


class Stock(models.Model):
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    copies = models.PositiveIntegerField(default=1)

    class Meta:
        unique_together = (("shop", "book"),)


class Shelf(models.Model):
    """A primary key of two columns."""

    pk = models.CompositePrimaryKey("room", "place")
    room = models.IntegerField()
    place = models.IntegerField()
    label = models.CharField(max_length=50, default="")


ALL = (Author, Tag, Book, Cover, Shop, Stock, Shelf)
